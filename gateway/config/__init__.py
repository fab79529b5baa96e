"""config.yaml as validated, immutable values.

`load` reads the files at start and again on reload, on whatever thread asks; it starts nothing and changes nothing.

    yaml_source   text -> values that know their line
    schema        what may be written, and what is said about what may not
    load          files -> `model.Config`, or every finding at once
    model         what the rest of the gateway sees
    diff          what a reload has to do
"""
