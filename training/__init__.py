"""Makes the weights bundles: prepares motion, trains, evaluates and exports; never needed at run time."""
