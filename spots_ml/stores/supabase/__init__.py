"""Supabase over its data API: the connection, every call, paged reading.

The client's packages take a third of a second to load; they are imported where a call is made, never here.
"""
