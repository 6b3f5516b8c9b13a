"""All that answers: opened by `open_predictor(folder)`, without torch unless the predictor is a torch model."""

from superfine.names import NameTable

NEEDS: dict[str, tuple[str, ...]] = {
    "torch": ("train", "torch", "transformers"),
    "onnx": ("onnx", "onnxruntime"),
    "openvino": ("openvino", "openvino"),
    "tensorflow": ("tflite", "ai_edge_litert"),
}
"""Predictors that need an extra: its name, and the modules that it brings."""

PREDICTORS = NameTable(
    "predictor",
    {
        "torch": "superfine.model:Model",
        "onnx": "superfine.predictors.onnx:OnnxModel",
        "openvino": "superfine.predictors.openvino:OpenVinoModel",
        "tensorflow": "superfine.predictors.tflite:TfliteModel",
        "majority": "superfine.baselines.majority:Majority",
        "tfidf": "superfine.baselines.tfidf:Tfidf",
        "most_frequent_tag": "superfine.baselines.most_frequent_tag:MostFrequentTag",
        "similar_sentence": "superfine.baselines.similar_sentence:SimilarSentence",
    },
)
"""A predictor provides `load(bundle) -> Predictor`; the bundle's manifest names it under `predictor`."""
