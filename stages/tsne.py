"""Lay an embedding's test images out in the plane by t-SNE.

    python -m stages.tsne all_digits

Reads  params tsne.<key>; data/embeddings/<features>
Writes plots/tsne/<key>.csv
"""

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from relearn import checks
from relearn.data import arrays, records, seeds
from relearn.params.training import Tsne
from relearn.process import command, timings


def main(key: str) -> None:
    settings = checks.load()
    spec: Tsne = settings.experiment("tsne", key)
    with timings.stage(f"tsne@{key}", settings.scale):
        folder = arrays.DATA / "embeddings" / spec.features
        features, labels = arrays.read(folder / "test_features.npy"), arrays.read(folder / "test_labels.npy")
        names = np.array(arrays.read_classes(folder))
        kept = range(len(names)) if spec.classes is None else spec.classes
        rows = np.flatnonzero(np.isin(labels, list(kept)))[: spec.images]
        print(f"{key}: {len(rows)} images", flush=True)
        seed = seeds.derive(settings.seed, "tsne", key)
        layout = TSNE(perplexity=spec.perplexity, init="pca", random_state=seed, verbose=1, n_jobs=1)
        with threadpool_limits(1):  # sums over several threads differ in their last bits from run to run
            points = layout.fit_transform(features[rows])
        table = pd.DataFrame({"x": points[:, 0], "y": points[:, 1], "class": names[labels[rows]]})
        records.write_csv(Path(f"plots/tsne/{key}.csv"), table)


if __name__ == "__main__":
    command.run(main)
