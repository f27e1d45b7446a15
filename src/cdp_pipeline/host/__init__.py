"""Where all parts meet: a pipeline file becomes running plugins and an engine."""
