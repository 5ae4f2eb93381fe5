"""The witness: remembers the largest tree it saw of each log, and cosigns no other story.

A process of its own with its own key and its own store. It imports the public formats and
the standard library, knows no database of the service and no key but its own, and says
yes only after what it says yes to is on disk. https://c2sp.org/tlog-witness
"""
