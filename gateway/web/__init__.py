"""The Flask application: pages, login, REST API. Runs on worker threads; reaches the gateway only through `ports`."""
