"""Events: their names, how handlers are registered, and the thread that runs them."""
