"""Asks a server for a prediction that costs at most 50 nJ; needs nothing but Python."""

import json
import urllib.request

ADDRESS = "http://127.0.0.1:8501"


def main():
    with open("docs/serving/digit.json", encoding="utf-8") as file:
        image = json.load(file)["instances"][0]
    request = urllib.request.Request(
        f"{ADDRESS}/v1/models/digits:predict",
        data=json.dumps({"instances": [image]}).encode(),
        headers={"Content-Type": "application/json", "X-Energy-Budget-nJ": "50"},
    )
    with urllib.request.urlopen(request) as answer:
        (prediction,) = json.load(answer)["predictions"]
        joules = float(answer.headers["X-Energy-Joules"])
        version = answer.headers["X-Model-Version"]
    label = prediction["label"]
    print(f"a {label}, for {1e9 * joules:.2f} nJ, by version {version}")


if __name__ == "__main__":
    main()
