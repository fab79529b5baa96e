"""The machine the gateway runs on, asked without any program of others. Stands below everything that judges it."""
