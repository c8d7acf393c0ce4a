"""The model that leaves: ONNX with what is needed around it, proven without the app."""
