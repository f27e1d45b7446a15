"""Train the model that the plugin loads; the same data gives the same model.

The data are invented: ledgers with very many operations are what a flood of
transactions looks like, and are labelled as fraud.
"""

import joblib
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

FLOOD = 250

rng = np.random.default_rng(7)
operations = rng.integers(0, 500, size=4000)
features = np.column_stack([operations, np.ones_like(operations)]).astype(float)
model = make_pipeline(StandardScaler(), LogisticRegression(C=100.0, max_iter=1000))
model.fit(features, operations > FLOOD)
joblib.dump(model, "fraud_model.pkl")
accuracy = model.score(features, operations > FLOOD)
print(f"trained on {len(operations)} ledgers, accuracy {accuracy:.3f}")
