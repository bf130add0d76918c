"""Who serves: the web server, the application it loads, and the layer that hands over whole bodies only.
`relay web` starts it; nothing else imports it."""
