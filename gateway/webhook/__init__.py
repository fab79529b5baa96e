"""Tells other programs of incidents: `message` makes what is sent, `delivery` keeps trying, `post` is one HTTP request."""
