"""Commands about rollouts: `rollout`, `drill`."""
