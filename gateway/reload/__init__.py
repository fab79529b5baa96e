"""Going over to another configuration while everything runs: files are watched, a pure diff decides, one transition applies."""
