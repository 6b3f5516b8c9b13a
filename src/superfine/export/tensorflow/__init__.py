"""TensorFlow's formats, written by TensorFlow's own tools in an environment of theirs: their pins would break ours."""
