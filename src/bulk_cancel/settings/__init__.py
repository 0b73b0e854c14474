"""Everything a person can set, validated: the job, accounts, credentials, the environment."""
