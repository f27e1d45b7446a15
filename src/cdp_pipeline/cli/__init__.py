"""`flowctl`: the faces of the host on a terminal."""
