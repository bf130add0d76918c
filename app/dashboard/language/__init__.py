"""The dashboard in the language of its reader: which one that is, and every sentence in it.

Sentences are English in templates (`_`, `trans`) and in code (`say` of core/wording/sentence.py), and in gettext's
catalogues beside this folder (`locale`) in the other languages. The words are looked up when a page is made, at its
edge: core and app/admin know of no language. docs/contributing/language.md says how to mark a sentence and how to add a
language. For the dashboard alone.
"""
