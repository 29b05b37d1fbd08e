"""What training code records: experiments, runs, params, metrics, inputs, logged models."""
