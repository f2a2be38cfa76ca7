package image

import "errors"

// Causes that a caller tells apart.
var (
	ErrNoRecipe   = errors.New("unknown recipe")
	ErrRecipe     = errors.New("the recipe is wrong")
	ErrNoVersion  = errors.New("version not found")
	ErrOrder      = errors.New("this cannot be asked of the recipe")
	ErrAmbiguous  = errors.New("it is not clear which file is meant")
	ErrUnverified = errors.New("the checksum cannot be compared")
	ErrDownload   = errors.New("download failed")
	ErrNotFound   = errors.New("the server does not have it")
	ErrChecksum   = errors.New("the checksum is wrong")
	ErrArchive    = errors.New("archive rejected")
	ErrUnbootable = errors.New("the image cannot be booted")
	ErrNoImage    = errors.New("image not found")
	ErrThere      = errors.New("it is already there")
	ErrByHand     = errors.New("it was put there by hand")
	ErrDamaged    = errors.New("the image is not as it was added")
	ErrNoSpace    = errors.New("there is not enough space on the disk")
	ErrBusy       = errors.New("another pxeagent works on the same image")
)
