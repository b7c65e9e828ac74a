"""Numbers about two samples, and how sure they are.

distances, significance, exact       how far a field moved, and the chance of that
performance, metrics, auc, ranking,  how good predictions were, with intervals, and whether that fell
multiclass, drops
bias, gaps                           how groups of people or things differ
rates                                how often something happens
"""
