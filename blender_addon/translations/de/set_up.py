"""German: what is said of the backend, of weights, and while an environment is set up."""

from __future__ import annotations

SET_UP: dict[str, str] = {
    # the backend
    "Backend: not running": "Backend: läuft nicht",
    "Backend: ready": "Backend: bereit",
    "Backend: starting": "Backend: startet",
    "Bundle {0} cannot {1}; {2} can. Choose it under Options":
        "Modellpaket {0} kann „{1}“ nicht; {2} kann es. Unter Optionen wählen",
    "Bundle {0}: {1}": "Modellpaket {0}: {1}",
    "Bundle: {0}. {1}": "Modellpaket: {0}. {1}",
    "LIMBER_PYTHON is": "LIMBER_PYTHON ist",
    "No Python for the backend: there is no environment in {0}. Press Set Up in Limber's preferences, or choose a "
    "Python there.":
        "Kein Python für das Backend: in {0} ist keine Umgebung. In Limbers Einstellungen auf „Einrichten“ drücken "
        "oder dort ein Python wählen.",
    "The backend's environment in {0} is not finished. Wait for Set Up in Limber's preferences, or press it again: it "
    "goes on where it stopped.":
        "Die Umgebung des Backends in {0} ist nicht fertig. Auf „Einrichten“ in Limbers Einstellungen warten oder es "
        "noch einmal drücken: es geht weiter, wo es aufgehört hat.",
    "No installed bundle can {0}. Install one that can": "Kein installiertes Modellpaket kann „{0}“. Eines "
        "installieren, das es kann",
    "Runs with {0}": "Läuft mit {0}",
    "The backend (Limber {0}) speaks protocol {1}, this add-on speaks {2}. Install the same version of both.":
        "Das Backend (Limber {0}) spricht Protokoll {1}, dieses Add-on spricht {2}. Von beiden dieselbe Version "
        "installieren.",
    "The backend announced itself wrongly: {0}. Check the Python in Limber's preferences.":
        "Das Backend hat sich falsch gemeldet: {0}. Das Python in Limbers Einstellungen prüfen.",
    "The backend answered with status {0} and no reason.":
        "Das Backend antwortete mit Status {0} und ohne Begründung.",
    "The backend cannot be started: {0}. Check the Python in Limber's preferences.":
        "Das Backend lässt sich nicht starten: {0}. Das Python in Limbers Einstellungen prüfen.",
    "The backend did not answer within {0} s.": "Das Backend antwortete nicht innerhalb von {0} s.",
    "The backend did not come up in {0} s. Press Restart.":
        "Das Backend kam in {0} s nicht hoch. Neu starten drücken.",
    "The backend does not answer ({0}: {1}).": "Das Backend antwortet nicht ({0}: {1}).",
    "The backend ended before it was ready ({0}).": "Das Backend endete, bevor es bereit war ({0}).",
    "The backend ended by itself ({0}).": "Das Backend endete von selbst ({0}).",
    "The backend failed and did not say why.": "Das Backend scheiterte und sagte nicht, warum.",
    "The backend was stopped.": "Das Backend wurde angehalten.",
    "The backend's answer about job {0} makes no sense.":
        "Die Antwort des Backends über den Auftrag {0} ergibt keinen Sinn.",
    "The backend's answer has no {0}.": "Die Antwort des Backends hat kein {0}.",
    "The backend's answer to {0} is not JSON.": "Die Antwort des Backends auf {0} ist kein JSON.",
    "The backend's answer to {0} is too large.": "Die Antwort des Backends auf {0} ist zu groß.",
    "The backend's list of models makes no sense.": "Die Modellliste des Backends ergibt keinen Sinn.",
    "The certificate {0} cannot be read ({1}).": "Das Zertifikat {0} ist nicht zu lesen ({1}).",
    "The preferences name": "In den Einstellungen steht",
    "There is no bundle named {0}": "Es gibt kein Modellpaket namens {0}",
    "cancelled in the backend": "im Backend abgebrochen",
    "cancelled while the backend was starting": "abgebrochen, während das Backend startete",
    "ended by signal {0}": "beendet durch Signal {0}",
    "ended by {0}": "beendet durch {0}",
    "exit code {0}": "Rückgabewert {0}",
    "no sensible answer": "keine sinnvolle Antwort",
    "nothing within {0} s": "nichts innerhalb von {0} s",
    "{0} {1}, which is not a file. Choose the Python of the backend's environment in Limber's preferences.":
        "{0} {1}; das ist keine Datei. In Limbers Einstellungen das Python der Backend-Umgebung wählen.",
    # setting up
    " Looked at: {0}": " Angesehen: {0}",
    " and {0} more": " und {0} weitere",
    "A downloaded library is not the one that Limber was made with, so it was not installed. Something on the way (a "
    "proxy, a damaged disk) changed it: try again, or use a wheel folder.":
        "Eine heruntergeladene Bibliothek ist nicht die, mit der Limber gemacht wurde, darum wurde sie nicht "
        "installiert. Etwas auf dem Weg (ein Proxy, eine beschädigte Platte) hat sie verändert: noch einmal "
        "versuchen, oder einen Wheel-Ordner verwenden.",
    "A file may not be written or run. The folder may be read-only, or a virus scanner holds it: choose another "
    "folder, or allow this one in the scanner, then press Repair.":
        "Eine Datei darf nicht geschrieben oder ausgeführt werden. Der Ordner ist vielleicht schreibgeschützt, oder "
        "ein Virenscanner hält ihn fest: einen anderen Ordner wählen, oder diesen im Scanner erlauben, dann "
        "Reparieren drücken.",
    "A virus scanner took a file away. Allow the environment's folder in it, then press Repair.":
        "Ein Virenscanner hat eine Datei weggenommen. Den Ordner der Umgebung darin erlauben, dann Reparieren "
        "drücken.",
    "Blender may not use the network. Allow Online Access in Blender's preferences under System, or choose a wheel "
    "folder.":
        "Blender darf das Netz nicht benutzen. In Blenders Einstellungen unter System den Online-Zugriff erlauben, "
        "oder einen Wheel-Ordner wählen.",
    "Blender may not use the network: allow Online Access under System, or choose a wheel folder":
        "Blender darf das Netz nicht benutzen: unter System den Online-Zugriff erlauben, oder einen Wheel-Ordner "
        "wählen",
    "Cancelled. What was downloaded is kept: press Set Up to go on":
        "Abgebrochen. Heruntergeladenes bleibt: zum Weitermachen Einrichten drücken",
    "Downloading: {0} of {1} MB": "Wird heruntergeladen: {0} von {1} MB",
    "Everything is there": "Alles ist da",
    "Install the package python{0}.{1}-venv": "Das Paket python{0}.{1}-venv installieren",
    "Installing: {0} of {1} libraries": "Wird installiert: {0} von {1} Bibliotheken",
    "It failed without a word. Press Repair to begin anew.":
        "Es scheiterte ohne ein Wort. Reparieren drücken, um neu zu beginnen.",
    "It failed: {0}": "Es scheiterte: {0}",
    "It works: the backend started in {start} s and filled a first motion in {job} s":
        "Es funktioniert: das Backend startete in {start} s und füllte eine erste Bewegung in {job} s",
    "Looking at everything": "Alles wird angesehen",
    "Looking at the wheels": "Die Wheels werden angesehen",
    "Looking for a Python": "Ein Python wird gesucht",
    "Making the environment": "Die Umgebung wird angelegt",
    "No Python 3.11 or 3.12 was found on this computer. Install one (python.org, the Microsoft Store, Homebrew or the "
    "system's packages), or choose its program here.{0}":
        "Auf diesem Rechner wurde kein Python 3.11 oder 3.12 gefunden. Eines installieren (python.org, Microsoft "
        "Store, Homebrew oder die Pakete des Systems), oder hier sein Programm wählen.{0}",
    "Reinstall it": "Es neu installieren",
    "Removing the environment": "Die Umgebung wird entfernt",
    "Something is wrong": "Etwas stimmt nicht",
    "Start the backend to see them. Added: {names}":
        "Das Backend starten, um sie zu sehen. Hinzugefügt: {names}",
    "The connection is not trusted (certificate). A company's proxy may need its certificate in pip's settings; or use "
    "a wheel folder.":
        "Der Verbindung wird nicht vertraut (Zertifikat). Der Proxy einer Firma braucht vielleicht sein Zertifikat in "
        "pips Einstellungen; oder einen Wheel-Ordner verwenden.",
    "The disk is full. Free some space, or choose a folder on another disk, and press Set Up again: it goes on where "
    "it stopped.":
        "Die Platte ist voll. Platz schaffen, oder einen Ordner auf einer anderen Platte wählen, und noch einmal "
        "Einrichten drücken: es geht weiter, wo es aufgehört hat.",
    "The folder is on a disk that cannot be written to. Choose another folder.":
        "Der Ordner ist auf einer Platte, auf die nicht geschrieben werden kann. Einen anderen Ordner wählen.",
    "The list {0} needs a build of torch that the usual index does not hold. Name an index that has it, choose a wheel "
    "folder, or choose another torch.":
        "Die Liste {0} braucht eine Ausgabe von torch, die der übliche Index nicht hat. Einen Index nennen, der sie "
        "hat, einen Wheel-Ordner wählen, oder ein anderes torch.",
    "The network does not answer. Check the connection (and the proxy, HTTPS_PROXY), then press Set Up again: it goes "
    "on where it stopped. Without network, use a wheel folder.":
        "Das Netz antwortet nicht. Die Verbindung prüfen (und den Proxy, HTTPS_PROXY), dann noch einmal Einrichten "
        "drücken: es geht weiter, wo es aufgehört hat. Ohne Netz einen Wheel-Ordner verwenden.",
    "The package index does not hold a library of the list. Name an index that has it, choose another torch, or use a "
    "wheel folder.":
        "Der Paketindex hat eine Bibliothek der Liste nicht. Einen Index nennen, der sie hat, ein anderes torch "
        "wählen, oder einen Wheel-Ordner verwenden.",
    "The wheel folder {0} has no fitting wheel for {1}{2} (list {3}). Put them there and press Set Up again.":
        "Der Wheel-Ordner {0} hat kein passendes Wheel für {1}{2} (Liste {3}). Sie dort hinlegen und noch einmal "
        "Einrichten drücken.",
    "There is no Python at {0}. Press Set Up, or choose an existing Python.":
        "Bei {0} ist kein Python. Einrichten drücken, oder ein vorhandenes Python wählen.",
    "There is not enough memory. Close other programs and try again.":
        "Es ist nicht genug Speicher da. Andere Programme schließen und noch einmal versuchen.",
    "This Limber has no list of libraries for {0}{1}. It has: {2}. Use one of those Pythons, or make an environment "
    "yourself and choose it as an existing Python.":
        "Dieses Limber hat keine Bibliotheksliste für {0}{1}. Es hat: {2}. Eines dieser Pythons verwenden, oder selbst "
        "eine Umgebung anlegen und sie als vorhandenes Python wählen.",
    "This Python has no venv or pip. Install them (Debian, Ubuntu: python3.11-venv), or choose another Python.":
        "Dieses Python hat kein venv oder pip. Sie installieren (Debian, Ubuntu: python3.11-venv), oder ein anderes "
        "Python wählen.",
    "Trying the backend": "Das Backend wird ausprobiert",
    "With {python}, list {name}: {load} to download, {size} on the disk":
        "Mit {python}, Liste {name}: {load} herunterzuladen, {size} auf der Platte",
    "to download": "herunterzuladen",
    "{0} ({1}, {2} bits). A 64-bit CPython is needed.": "{0} ({1}, {2} Bit). Ein 64-Bit-CPython wird gebraucht.",
    "{0} GB": "{0} GB",
    "{0} MB": "{0} MB",
    "{0} cm": "{0} cm",
    "{0} mm": "{0} mm",
    "{0} does not answer as a Python does ({1}). Choose another.":
        "{0} antwortet nicht wie ein Python ({1}). Ein anderes wählen.",
    "{0} has {1} free, {2} are needed. Free some space, or choose a folder on another disk.":
        "{0} hat {1} frei, {2} werden gebraucht. Platz schaffen, oder einen Ordner auf einer anderen Platte wählen.",
    "{0} holds something that Limber did not make. Choose an empty folder, or, if it is an environment of yours, its "
    "Python as an existing Python.":
        "{0} enthält etwas, das Limber nicht gemacht hat. Einen leeren Ordner wählen, oder, falls es eine Umgebung "
        "von dir ist, deren Python als vorhandenes Python.",
    "{0} is Python {1}.{2}": "{0} ist Python {1}.{2}",
    "{0} is damaged: {1}. Install Limber again.": "{0} ist beschädigt: {1}. Limber neu installieren.",
    "{0} is empty. Install Limber again.": "{0} ist leer. Limber neu installieren.",
    "{0} is not a file. Choose the program of a Python 3.11 or 3.12.":
        "{0} ist keine Datei. Das Programm eines Pythons 3.11 oder 3.12 wählen.",
    "{0} vanished after it was written: access is denied":
        "{0} verschwand, nachdem es geschrieben war: Zugriff verweigert",
    "{0} was added. Restart the backend to use it":
        "{0} wurde hinzugefügt. Das Backend neu starten, um es zu verwenden",
    "{0} was not made by Limber (it has no {1}), so it stays.":
        "{0} wurde nicht von Limber gemacht (es hat kein {1}), darum bleibt es.",
    "{0}, but without venv and pip. {1}, or choose another Python.":
        "{0}, aber ohne venv und pip. {1}, oder ein anderes Python wählen.",
    "{0}. Python {1} is needed: install one beside it and choose it here.":
        "{0}. Python {1} wird gebraucht: eines daneben installieren und hier wählen.",
}  # fmt: skip
