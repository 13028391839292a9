"""Answering requests batch by batch: tables, tallies and files of answers."""
