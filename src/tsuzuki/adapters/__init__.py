"""Networks in the forms of other libraries: an estimator of scikit-learn, a file of ONNX."""
