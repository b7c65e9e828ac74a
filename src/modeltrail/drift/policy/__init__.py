"""From numbers to states and alerts: limits, evidence over windows, hysteresis, what is raised and what ends."""
