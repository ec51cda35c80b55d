"""The session protocol of this folder's chapters, written from their text alone. It makes the vectors. See README.md."""
