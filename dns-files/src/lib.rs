//! Zone files and folders: reading, watching, reloading.
