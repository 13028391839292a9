"""What a number from few agents is worth: sums by agent, resampling of agents, intervals.

Nobody's opinion about what is measured lives here; a mean, a rate, an area are named by those who measure them.
"""
