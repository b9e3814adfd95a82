"""The agent's side of each protocol: cores that start exchanges and tell what they learnt."""
