"""The studio: a page in the browser, served on this machine alone, to watch runs, start them, and look at pictures."""
