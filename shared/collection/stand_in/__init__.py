"""A stand-in for the game's site, on this machine alone: to try out what plays and collects.

It shows places of the demo world, or photos of a data set with their true places. It is not the
site, and imitates only what is known of its pages: log in, the view, the map of the guess, results.
"""
