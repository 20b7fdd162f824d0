"""The verbs: what people do to numbers and PBXs, a module per noun; each plans, then applies.

    plan(actor, request, facts) -> Plan        pure: says what would change, or why not
    apply(connection, plan)     -> Applied     one transaction; what undoes it is stored with it

Command line, API and tests call these and nothing else.
"""
