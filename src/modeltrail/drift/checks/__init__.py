"""One check of one window: what is needed, what is compared, and the result with a sentence for people.

plan, content     what a check has to count, and what was counted; judged: against the truth, by segment
check             all of it in one call; fields, figures: its parts
wording           sentences; fitting makes a result fit into an event
results, summary  what comes out, and how a notebook prints it
monitor           the same without a server, on a data frame
"""
