package security

import (
	"maps"
	"reflect"
)

// clone returns a deep copy: the review must neither change its input nor share memory with it, or the reviewed and the
// sent values could differ. The Docker API structs hold only exported fields of plain kinds, which is all that is
// handled here.
func clone[T any](v T) T {
	out := reflect.New(reflect.TypeFor[T]()).Elem()
	deepCopy(out, reflect.ValueOf(&v).Elem())
	return out.Interface().(T)
}

func deepCopy(to, from reflect.Value) {
	switch from.Kind() {
	case reflect.Pointer:
		if from.IsNil() {
			return
		}
		to.Set(reflect.New(from.Type().Elem()))
		deepCopy(to.Elem(), from.Elem())
	case reflect.Struct:
		for i := range from.NumField() {
			deepCopy(to.Field(i), from.Field(i))
		}
	case reflect.Slice:
		if from.IsNil() {
			return
		}
		to.Set(reflect.MakeSlice(from.Type(), from.Len(), from.Len()))
		for i := range from.Len() {
			deepCopy(to.Index(i), from.Index(i))
		}
	case reflect.Map:
		if from.IsNil() {
			return
		}
		// Nearly all maps are of strings, and reflection copies each entry on its way.
		if plain := reflect.TypeFor[map[string]string](); from.CanConvert(plain) {
			copied := maps.Clone(from.Convert(plain).Interface().(map[string]string))
			to.Set(reflect.ValueOf(copied).Convert(from.Type()))
			return
		}
		to.Set(reflect.MakeMapWithSize(from.Type(), from.Len()))
		for key, value := range from.Seq2() {
			copied := reflect.New(value.Type()).Elem()
			deepCopy(copied, value)
			to.SetMapIndex(key, copied)
		}
	default:
		to.Set(from)
	}
}
