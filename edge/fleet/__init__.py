"""Many doors, seen from the operator's side: alert rules, a dashboard, staged rollouts, a simulator."""
