"""Pipeline files made for the user: from the ancestor's files, or from a few answers.

ancestor                        what the ancestor had, and what each of it becomes: data only
documents, short_forms          its shapes of file as one
conversion                      one pipeline of it as one of ours
sources, processors, consumers  the parts of that; options and values in each
findings                        what was converted, and what has no counterpart
pipeline_text                   a pipeline as YAML with comments
upgrade                         a file of the ancestor's as files of ours
starter                         a new pipeline from a few answers
"""
