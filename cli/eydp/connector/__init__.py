"""The cloud resources as Config Connector objects: the same names and properties as `eydp provision` makes."""
