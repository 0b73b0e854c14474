"""Where rows come from, what is known of them, and the plan made of that."""
