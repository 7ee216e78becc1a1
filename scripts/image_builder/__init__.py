"""Build the images of the platform with buildah, as root and without a container engine."""
