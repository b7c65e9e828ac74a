"""What a window is compared with.

reference      the content of a baseline, as an event has it and as arrays
baseline       making one from columns, and its hash
edges          bins of a numeric field; binning puts values into them
tally          counting categories in bounded memory
counts         what a sample is once it is counted; pooling adds them up
learning       a baseline from the first predictions of a model
worth          how many independent observations rows are worth
"""
