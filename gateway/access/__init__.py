"""Who may do what: roles, API tokens, signed addresses, the proxy that may be believed, and the record of what was done.

Everything here is free of HTTP; `gateway.http.access` asks it and decides.
"""
