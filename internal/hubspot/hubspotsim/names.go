package hubspotsim

import "strings"

// Words of the demo data.
const (
	companyFirst = `Amber Anchor Apex Arbor Aspen Atlas Aurora Beacon Birch Blue Bright Cascade Cedar Cinder Clear Cobalt
Copper Coral Crescent Crown Delta Ember Evergreen Falcon Fern Flint Forge Garnet Glacier Golden Granite Harbor Hazel
Heron High Horizon Indigo Iron Ivory Juniper Keystone Lake Lantern Laurel Liberty Lumen Magnolia Maple Meridian Mesa
Mill Monarch Noble North Oak Obsidian Ocean Olive Onyx Orchard Osprey Pacific Pearl Pine Pioneer Prairie Quartz Raven
Redwood Ridge River Rowan Sable Saffron Sequoia Silver Slate Solar South Sparrow Spruce Sterling Stone Summit Sunset
Swift Tamarack Teal Terra Thistle Timber Topaz Trident Union Valley Vector Verdant Violet Vista Walnut West Willow Zephyr`
	companySecond = `Bay Bridge Brook Cliff Creek Crest Dale Field Ford Forest Gate Glen Grove Hill Hollow Island Junction
Landing Leaf Ledge Light Line March Meadow Moor Mount Park Peak Point Pond Port Reach Rock Row Shore Spring Star Stream
Tower Trail View Water Way Wood Works Yard`
	companyThird = `Analytics|Robotics|Software|Logistics|Foods|Energy|Health|Capital|Partners|Labs|Systems|Retail|Media|Materials|Networks|Insurance|Construction|Pharma|Motors|Textiles`
	legalForms   = `|| Inc.| Inc.| LLC| Ltd| GmbH| Group| & Co.| AG`
	firstNames   = `Aaliyah Adam Agnes Aisha Alejandro Alice Amara Amir Ana Andre Anika Anna Antonio Arjun Astrid Beatriz Ben
Bianca Björn Camille Carlos Carmen Chen Chiara Chloé Clara Daniel Daria David Diego Dmitri Elena Elif Emil Emma Enzo
Erik Esra Eva Farah Felix Fiona Francesca Gabriel Giulia Grace Hana Hannah Hassan Hugo Ibrahim Ines Ingrid Ivan Jack
James Jana Jasmine Jens Joana João Johan Jonas Julia Kai Karim Katarzyna Keiko Kenji Lara Lars Laura Leila Leo Liam
Lina Linh Lucas Luis Lukas Maja Malik Marco Maria Marta Mateo Maya Mei Mia Mila Miguel Milan Mira Mohammed Nadia Naomi
Nikolai Nina Noah Nora Olga Oliver Olivia Omar Oscar Paolo Petra Pierre Priya Rafael Rania Ravi Rosa Ryan Samir Sara
Sean Silvia Simon Sofia Stefan Sven Tara Tariq Teresa Thomas Tomás Ursula Valentina Vera Victor Wei Yara Yuki Zoe`
	lastNames = `Abbott Adeyemi Ahmed Almeida Andersson Bauer Becker Bernard Bianchi Brown Campbell Carter Castillo Chen
Cohen Costa Cruz Dahl Das Davies Delgado Diaz Dubois Eriksen Evans Farouk Fernandez Fischer Fontaine Foster Garcia
Gomez González Green Gupta Haddad Hansen Harris Hassan Hoffmann Horvat Hughes Ibrahim Ito Ivanov Jackson Jansen Jensen
Johnson Jones Kaplan Karlsson Kaur Keller Khan Kim Klein Kovács Kowalski Kumar Lambert Larsen Lee Lefevre Lewis Lindqvist
López Marino Martin Martínez Mehta Meyer Miller Mohamed Moreau Morgan Müller Murphy Nakamura Nguyen Nielsen Novak Nowak
O'Brien Okafor Olsen Ortega Park Patel Pereira Petrov Popescu Quinn Ramirez Reyes Ricci Rivera Roberts Rossi Roux Russo
Sánchez Sato Schmidt Schneider Sharma Silva Singh Smith Sousa Suzuki Tan Tanaka Taylor Thompson Torres Van-Dijk Vargas
Vidal Wagner Walker Wang Weber White Williams Wilson Wójcik Wright Yamamoto Yilmaz Young Zhang Zimmermann`
	jobTitles = `Account Manager|Chief Executive Officer|Chief Financial Officer|Chief Technology Officer|Customer Success Manager|Data Analyst|Director of Operations|Engineering Manager|Finance Manager|Head of IT|Head of Marketing|HR Business Partner|IT Administrator|Logistics Coordinator|Marketing Specialist|Office Manager|Procurement Lead|Product Manager|Project Manager|Quality Engineer|Sales Director|Software Engineer|Support Lead|VP of Sales`
	places    = `Boston,Massachusetts,United States,+1 617 555 01|Austin,Texas,United States,+1 512 555 01|Denver,Colorado,United States,+1 303 555 01|Seattle,Washington,United States,+1 206 555 01|Chicago,Illinois,United States,+1 312 555 01|Toronto,Ontario,Canada,+1 416 555 01|London,England,United Kingdom,+44 20 7946 0|Leeds,England,United Kingdom,+44 113 496 0|Berlin,Berlin,Germany,+49 30 2312 5|Munich,Bavaria,Germany,+49 89 9999 8|Zürich,Zürich,Switzerland,+41 44 668 18|Paris,Île-de-France,France,+33 1 99 00 1|Lyon,Auvergne-Rhône-Alpes,France,+33 4 65 71 0|Madrid,Madrid,Spain,+34 91 555 7|Lisbon,Lisboa,Portugal,+351 21 123 4|Amsterdam,Noord-Holland,Netherlands,+31 20 794 1|Stockholm,Stockholm,Sweden,+46 8 465 004|Singapore,,Singapore,+65 6123 4|Sydney,New South Wales,Australia,+61 2 5550 1|Tokyo,Tokyo,Japan,+81 3 5550 1`
)

// plain turns a name into the letters of a mail address or a domain.
func plain(name string) string {
	fold := strings.NewReplacer("ä", "ae", "ö", "oe", "ü", "ue", "Ä", "Ae", "Ö", "Oe", "Ü", "Ue", "é", "e", "á", "a", "ã", "a", "ó", "o", "í", "i")
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '.' {
			return r
		}
		return -1
	}, strings.ToLower(fold.Replace(name)))
}
