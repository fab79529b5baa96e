"""A configured camera as a device that acts: steered, reporting events, telling about itself. Pictures are for `sources`."""
