"""The package that makes Limber's weights: prepare, train, evaluate, export."""
