"""The daemon, the supervisor of the embedded stack and the command line; never imported by kemi or
admin_api.
"""
