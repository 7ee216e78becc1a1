"""One command of the command line, or one family of alike ones, a module: parsing and showing, no work."""
