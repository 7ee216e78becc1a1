"""Who may do what on Google Cloud: one table, and the page, the script and the Config Connector objects made of it."""
