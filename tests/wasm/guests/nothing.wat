;; nothing: an empty module.
(module)
