import cdpplugin
import joblib
import numpy as np

from features import extract_features

# Load ML model
model = joblib.load('fraud_model.pkl')

def detect_fraud(msg: cdpplugin.Message) -> cdpplugin.Message:
    # Extract features
    features = extract_features(msg.payload)
    
    # Predict
    fraud_score = model.predict_proba([features])[0][1]
    
    # Add to message
    msg.metadata['fraud_score'] = float(fraud_score)
    msg.metadata['fraud_detected'] = fraud_score > 0.8
    
    return msg

metadata = cdpplugin.PluginMetadata(
    name="fraud-detector",
    version="2.0.0",
    type="processor"
)

cdpplugin.serve_processor(metadata, detect_fraud)
