"""The rules, one idea a file: file = rule = test = documentation = name on the command line."""
