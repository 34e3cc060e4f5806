"""What the owner does with the faces that a device kept: make the pair of keys, pull the faces, label them."""
