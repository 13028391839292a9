"""The rules as an app has them: `decision.json` as it was first given out, number by number.

An app that was built by it goes on deciding by it. What changes here changes what phones and the platform agree on.
"""

import json
from pathlib import Path

from spots_ml.release.client_kit.decision_document import decision_document
from spots_ml.release.client_kit.published import PublishedModel

GIVEN_OUT = Path(__file__).with_name("decision.json")


def model(model_type, version, weight):
    return PublishedModel(
        model_type, version, weight, f"the file of {model_type}".encode(), f"the manifest of {model_type}".encode()
    )


def test_the_rules_are_those_that_were_given_out():
    models = {
        "calling_score": model("calling_score", "v1.3-hybrid", 0.3),
        "outcome": model("outcome", "v1.0-real", 0.1),
    }
    document = decision_document(models, {"calling_score": 120, "outcome": 80}, n_history=40, n_assignment=95)

    assert json.loads(json.dumps(document)) == json.loads(GIVEN_OUT.read_text(encoding="utf-8"))
